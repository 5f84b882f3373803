"""The configuration file: its form, its checks, and every problem told with its place."""
