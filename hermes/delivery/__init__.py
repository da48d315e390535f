"""How an outbound message is cut into parts and what follows a failed send; pure."""
