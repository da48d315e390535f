"""What becomes of an inbound event; pure."""
