"""One run as a file, and the same run again from that file, offline."""
