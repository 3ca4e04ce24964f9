"""Measures one file: functions, nesting, complexity, duplicated blocks; adds its history."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from review import git, measure  # noqa: E402

agent = mainstay.Agent("analyst")
FROM_HISTORY = ("path", "commits", "added", "deleted", "churn", "cut_off_lines", "renames",
                "authors", "top_authors", "first", "last")


class Blobs:
    """The reader of the repository that was asked about last; each analyst does one at a time."""

    def __init__(self):
        self._reader = None

    def read(self, root, blob):
        if self._reader is None or self._reader.root != root:
            self.close()
            self._reader = git.BlobReader(root)
        try:
            return self._reader.read(blob)
        except git.GitError:
            self.close()
            raise

    def close(self):
        if self._reader is not None:
            self._reader.close()
            self._reader = None


blobs = Blobs()


@agent.capability("file.analyse")
def analyse(item, ctx):
    """Input: one file as scout describes it."""
    file = item.input
    try:
        content = blobs.read(file["root"], file["blob"])
    except (git.GitError, OSError) as error:
        raise mainstay.Retryable(f"{file['path']}: {error}", code="git_failed") from None
    report = measure.measure(content, file["path"], file["language"])
    report.update({key: file[key] for key in FROM_HISTORY})
    ctx.log.debug("measured", path=file["path"], lines=report["lines"],
                  functions=report.get("functions", 0), note=report["note"])
    return report


if __name__ == "__main__":
    try:
        agent.run()
    finally:
        blobs.close()
