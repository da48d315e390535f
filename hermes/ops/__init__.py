"""Operations: the home's lock, the control socket, logs, and the two sources of non-determinism."""
