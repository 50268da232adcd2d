"""Execute the notebooks and store them with what they print and draw: `python notebooks/run.py [01 ...]`.

What is stored is the same on every run, but for cells with the tag "times": no names of machines, cells numbered in
order. `python notebooks/run.py --seed 7 [01 ...]` draws everything random anew and stores nothing: what the notebooks
claim has to hold for seeds that nobody chose.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(notebook, seed=0, folder=HERE):
    """Run all cells in a kernel of its own, on one thread: small matrices gain nothing from more. Errors are raised."""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "SEED": str(seed)}
    settings = {"timeout": 300, "kernel_name": "python3", "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **settings).execute(env=env)
    return notebook


def tidy(notebook, number):
    """Leave in a notebook what a reader wants, and nothing of where and when it ran; a cell's tags stay."""
    notebook.metadata = nbformat.from_dict(METADATA)
    count = 0
    for i, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"{number}-{i:02d}", {k: v for k, v in cell.metadata.items() if k == "tags" and v}
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                output.get("metadata", {}).clear()
                if "execution_count" in output:
                    output.execution_count = count
    return notebook


def work(path, seed):
    """Run a notebook; store it, unless its randomness is another than what is stored."""
    notebook = execute(nbformat.read(path, as_version=4), seed)
    if not seed:
        nbformat.write(tidy(notebook, path.name[:2]), path)
    return path.name


def main():
    """Run the notebooks whose file names begin so, or all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", help="numbers of notebooks, such as 03; all without any")
    arguments.add_argument("--seed", type=int, default=0, help="another randomness; nothing is stored")
    arguments.add_argument("--jobs", type=int, default=1, help="how many at a time; those that show times want one")
    given = arguments.parse_args()
    paths = [p for p in sorted(HERE.glob("[0-9]*.ipynb")) if not given.names or p.name.startswith(tuple(given.names))]
    with ThreadPoolExecutor(given.jobs) as pool:
        for name in pool.map(partial(work, seed=given.seed), paths):
            print(name, flush=True)


if __name__ == "__main__":
    main()
