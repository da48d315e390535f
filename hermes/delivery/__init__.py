"""Where an outbound message goes, how it is cut into parts, and what follows a failed send; pure."""
