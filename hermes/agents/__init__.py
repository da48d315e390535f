"""Agents that answer; each implements ``hermes.types.agent.Agent``."""
