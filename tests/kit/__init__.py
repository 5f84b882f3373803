"""The test kit: a stand-in provider, the real gateway as a process, the official SDKs."""
