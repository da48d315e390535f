"""An HTTP API in the form that clients of OpenAI's chat completions speak."""
