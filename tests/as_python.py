"""Work of processes that were forked for it."""

import faulthandler
import os
import runpy
import sys
import traceback

import torch


def as_python(words, where, path, environment, printed):
    """``python WORDS`` in this process, as if Python had just begun; it ends with the command.

    Args:
        where: the folder to run in. path: put before the others on ``sys.path``.
        printed: files for the output and for errors.
    """
    for number, name in enumerate(printed, 1):
        os.dup2(os.open(name, os.O_WRONLY), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    os.chdir(where)
    os.environ.clear()
    os.environ.update(environment)
    for name in list(sys.modules):
        own = name.partition(".")[0] in ("synthlearn", "benchmarks")
        if own and name != "synthlearn.core.vision":  # declares operators, which works once
            del sys.modules[name]
    sys.path[:0] = path
    sys.argv = words[1:]
    code = 0
    try:
        if words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            exec(words[1], {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def as_command(words, where, environment, printed):
    """``synthlearn WORDS`` in this process, which ends with it.

    Args:
        where: the folder to run in. printed: the file for all that it says.
    """
    handle = os.open(printed, os.O_WRONLY | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.chdir(where)
    os.environ.clear()
    os.environ.update(environment)
    from synthlearn.__main__ import main

    os._exit(alone(main, words))


def alone(function, *arguments):
    """Call a function in a forked process, on one thread; if it hangs, it says where.

    OpenMP's others, if the process that was forked has begun some, are not in the fork, and more
    than one would wait for them for ever.
    """
    faulthandler.dump_traceback_later(100)
    torch.set_num_threads(1)
    torch.set_num_threads = lambda number: None
    return function(*arguments)
