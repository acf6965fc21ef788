"""The shipped twin of a platform, for tests of workers."""
