"""The chain of `benchmarks/steps.py` in Dagster: run by its environment's own interpreter."""

import json
import os
import sys
import tempfile
import time

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
folder = tempfile.mkdtemp()
os.environ["DAGSTER_HOME"] = folder
with open(os.path.join(folder, "dagster.yaml"), "w") as file:
    file.write("telemetry:\n  enabled: false\n")

import dagster  # noqa: E402

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 20


@dagster.op
def begin():
    return [0]


@dagster.op
def extend(numbers: list[int]) -> list[int]:
    return [*numbers, len(numbers)]


def wire():
    numbers = begin()
    for number in range(STEPS - 1):
        numbers = extend.alias(f"extend_{number}")(numbers)


@dagster.job(executor_def=dagster.in_process_executor)
def chain_in_process():
    wire()


# Its quickest way to isolate: forked from a server that has Dagster loaded, instead of spawned.
FORKED = dagster.multiprocess_executor.configured({"start_method": {"forkserver": {"preload_modules": ["dagster"]}}})


@dagster.job(executor_def=FORKED)
def chain_multiprocess():
    wire()


def main():
    found = {"version": dagster.__version__}
    with dagster.DagsterInstance.get() as instance:

        def once(job):
            began = time.perf_counter()
            with dagster.execute_job(dagster.reconstructable(job), instance=instance) as result:
                assert result.success
            return (time.perf_counter() - began) / STEPS * 1000

        once(chain_in_process)
        found["in_process"] = sorted(once(chain_in_process) for _ in range(3))[1]
        found["multiprocess"] = once(chain_multiprocess)
    how = "fs_io_manager, SQLite instance"
    found["how"] = {
        "in_process": f"median of 3, {how}",
        "multiprocess": f"one run, {how}, forkserver with Dagster preloaded",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
