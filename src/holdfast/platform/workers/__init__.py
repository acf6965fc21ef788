"""The workers' side: socket, channels, queue, claims, janitor."""
