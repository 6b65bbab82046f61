"""The chapters' tests run on kernels that are forked: each is as good as a new Python."""

import os
from importlib.metadata import EntryPoint

import kernels
import nbformat
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient

CELL = """
import os, sys
tests = [path for path in sys.path if path == ROOT or path.startswith(f"{ROOT}/tests")]
packages = any(path.endswith("site-packages") for path in sys.path)
print([os.getcwd(), os.environ.get("MARK"), vars(sys).get("mark"), tests, packages])
os.environ["MARK"] = sys.mark = "left by another kernel"
os.chdir("/")
print(os.getpid())
"""


def printed(where):
    """What the cell prints on a new kernel."""
    cell = nbformat.v4.new_code_cell(f"ROOT = {str(kernels.ROOT)!r}{CELL}")
    book = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(book, kernel_name="python3").execute(cwd=str(where))
    return "".join(output["text"] for output in cell.outputs if output["name"] == "stdout")


def test_a_forked_kernel_sees_nothing_of_another_or_of_the_tests_and_ends(tmp_path, monkeypatch):
    factory = KernelProvisionerFactory.instance()
    entry = EntryPoint("forked", "kernels:Forked", factory.GROUP_NAME)
    monkeypatch.setitem(factory.provisioners, "forked", entry)
    monkeypatch.setattr(factory, "default_provisioner_name", "forked")
    started = []
    begin = kernels.Forked.launch_kernel

    async def launch(self, cmd, **options):
        started.append(cmd)
        return await begin(self, cmd, **options)

    monkeypatch.setattr(kernels.Forked, "launch_kernel", launch)
    for number in (1, 2):
        state, process = printed(tmp_path).splitlines()
        assert len(started) == number
        assert state == str([str(tmp_path), None, None, [], True])
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)
