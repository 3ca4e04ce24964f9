"""What kind of source a file is, and its text."""
from __future__ import annotations

from typing import Optional

#: Languages whose functions are measured.
MEASURED = {
    ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".cxx": "cpp", ".c++": "cpp",
    ".hh": "cpp", ".hpp": "cpp", ".hxx": "cpp", ".ipp": "cpp", ".inl": "cpp",
    ".py": "python", ".pyi": "python", ".js": "javascript", ".mjs": "javascript",
    ".cjs": "javascript", ".jsx": "javascript", ".go": "go", ".rs": "rust",
}
#: Languages of which only history and lines are known here.
OTHER = {
    ".java": "java", ".kt": "kotlin", ".ts": "typescript", ".tsx": "typescript", ".rb": "ruby",
    ".php": "php", ".cs": "c#", ".swift": "swift", ".scala": "scala", ".sh": "shell",
    ".pl": "perl", ".lua": "lua", ".m": "objective-c", ".sql": "sql", ".cmake": "cmake",
    ".proto": "protobuf", ".ex": "elixir", ".erl": "erlang", ".hs": "haskell", ".zig": "zig",
}
NAMES = {"python": "Python", "c": "C", "cpp": "C++", "javascript": "JavaScript", "go": "Go",
         "rust": "Rust"}
LARGEST = 1 << 20
#: git looks at as many bytes to tell text from binary.
BINARY_PROBE = 8000
MINIFIED_LINE = 2000


def language_of(path: str) -> Optional[str]:
    """The language by the file's name; None when it is not known as source."""
    name = path.rsplit("/", 1)[-1].lower()
    dot = name.rfind(".")
    suffix = name[dot:] if dot > 0 else ""
    return MEASURED.get(suffix) or OTHER.get(suffix)


def is_measured(language: str) -> bool:
    return language in NAMES


def is_binary(content: bytes) -> bool:
    return b"\0" in content[:BINARY_PROBE]


def decode(content: bytes) -> str:
    """The text of a file; what is not UTF-8 keeps its place as a replacement character."""
    return content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")


def header_language(text: str) -> str:
    """Whether a `.h` file is C++ or C, by words that only C++ has at the start of a line."""
    for line in text.split("\n"):
        word = line.strip().split(" ", 1)[0].rstrip(":{")
        if word in ("class", "namespace", "template", "using", "public", "private") or \
                line.startswith("template<"):
            return "cpp"
    return "c"


def why_unmeasured(content: bytes, text: str) -> str:
    """Why functions of this file are not looked at; "" when they are."""
    if len(content) > LARGEST:
        return f"larger than {LARGEST >> 20} MiB"
    if any(len(line) > MINIFIED_LINE for line in text.split("\n")):
        return "a line of it is so long that it must be generated"
    return ""
