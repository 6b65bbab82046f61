"""Kernels for the chapters' tests, forked from a process that has the libraries already.

A kernel of its own takes Python six seconds of a core to start and to import what every chapter
imports. ``pytest -p kernels --nbmake`` takes these; papermill, which makes the pages, starts each
chapter in a new Python.
"""

import contextlib
import multiprocessing
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

ROOT = Path(__file__).resolve().parents[1]
FORKSERVER = multiprocessing.get_context("forkserver")
LIBRARIES = [
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "synthlearn.book",
]


def pytest_configure():
    """Makes :class:`Forked` what starts a kernel."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # read when imported
    FORKSERVER.set_forkserver_preload(LIBRARIES)
    factory = KernelProvisionerFactory.instance()
    entry = EntryPoint("forked", f"{__name__}:Forked", factory.GROUP_NAME)
    factory.provisioners["forked"], factory.default_provisioner_name = entry, "forked"


class Process:
    """A forked process as ``subprocess`` has them."""

    stdin = stdout = stderr = None

    def __init__(self, *arguments):
        self._process = FORKSERVER.Process(target=kernel, args=arguments)
        self._process.start()
        self.pid = self._process.pid

    def poll(self):
        """Its exit status, None while it runs."""
        return self._process.exitcode

    def wait(self):
        """Its exit status, once it has ended."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number):
        """Send one, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Forked(LocalProvisioner):
    """Starts a kernel as a fork."""

    async def launch_kernel(self, cmd, **options):
        """As ``cmd`` would: of its arguments the connection file counts."""
        self.process = Process(cmd[cmd.index("-f") + 1], str(options["cwd"]), options["env"])
        self.pid, self.cwd = self.process.pid, options["cwd"]
        return self.connection_info


def of_tests(path):
    """Whether pytest has put a folder on the path, which a chapter must not see."""
    return path == ROOT or path.is_relative_to(ROOT / "tests")


def kernel(connection, where, environment):
    """A kernel in this process, as if Python had just begun."""
    from ipykernel.kernelapp import IPKernelApp

    os.environ.clear()
    # a kernel ends with the process of this number
    os.environ.update(environment, JPY_PARENT_PID=str(os.getppid()))
    os.chdir(where)
    multiprocessing.set_start_method(None, force=True)  # the platform's: a chapter starts workers
    sys.path[:] = [path for path in sys.path if not of_tests(Path(path))]
    sys.argv = ["ipykernel_launcher", "-f", connection]
    IPKernelApp.launch_instance(sys.argv[1:])
