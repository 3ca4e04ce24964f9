"""The SDK's version, the same as Mainstay's."""

VERSION = "0.1.0"
