"""The worked notebook runs from its first cell to its last, on an installation of its own."""

import os
import re
from pathlib import Path

import pytest

from tests.web.studying import answered

nbformat = pytest.importorskip("nbformat", reason="notebooks need requirements/leafmap.txt")
nbclient = pytest.importorskip("nbclient", reason="notebooks need requirements/leafmap.txt")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def executed(services, database, tmp_path, monkeypatch):
    """`executed(name)` runs a notebook on an installation of its own and gives what its cells said."""
    monkeypatch.setenv("SKYWARDEN_DATABASE_URL", database.admin_url)
    monkeypatch.setenv("SKYWARDEN_DATA_DIR", str(services.data_dir))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(name):
        notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
        client = nbclient.NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute(env=dict(os.environ))
        return [output["data"]["text/plain"] for cell in notebook.cells for output in cell.get("outputs", ())]

    return run


@pytest.mark.filterwarnings("ignore")  # those of the kernel's own libraries, which run in another process
def test_notebook__public_map__runs_and_writes_a_map(executed, tmp_path):
    said = executed("public_map.ipynb")
    assert "'Monitoring devices': 2" in said[0]
    assert "km2 may be patrolled" in said[1]
    assert "DV-DV1" in (tmp_path / "map.html").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")
def test_notebook__coverage__runs_and_writes_a_map_that_asks_nobody(executed, services, tmp_path):
    study = answered(services)
    said = executed("coverage.ipynb")
    assert said[0].startswith("'3 devices; ")
    assert float(re.search(r"closes ([\d.]+) km2", said[1])[1]) > 0.2
    assert f"{study}: " in said[-1]
    document = (tmp_path / "coverage.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in document


@pytest.mark.parametrize("name", ["public_map.ipynb", "coverage.ipynb"])
def test_notebook__as_it_is_kept__holds_no_output_of_somebody(name):
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    nbformat.validate(notebook)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
