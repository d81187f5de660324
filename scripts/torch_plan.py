"""Judge a `pip install --dry-run --report` of torch; touches the network for the sizes of what it names.

Prints nothing and ends with 0 if the plan holds no GPU package. Otherwise prints what would come, with its
total size, and ends with 1.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

GPU_PREFIXES = ("nvidia-", "cuda-", "triton")
TIMEOUT_S = 20


def size_bytes(url: str) -> int:
    """What the server says a file weighs; 0 where it does not say."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except (urllib.error.URLError, TimeoutError, ValueError):
        return 0


def main() -> int:
    """Read the report named on the command line."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["install"]
    gpu = [item for item in plan if item["metadata"]["name"].lower().startswith(GPU_PREFIXES)]
    if not gpu:
        return 0
    sizes = [size_bytes(item["download_info"]["url"]) for item in plan]
    known = f"{sum(sizes) / 1e9:.1f} GB" if all(sizes) else f"more than {sum(sizes) / 1e9:.1f} GB"
    names = sorted(item["metadata"]["name"] for item in gpu)
    print(f"torch would bring {len(gpu)} GPU packages ({names[0]} ... {names[-1]}), {known} in all")
    return 1


if __name__ == "__main__":
    sys.exit(main())
