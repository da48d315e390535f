"""A language model behind OpenAI's chat completions: hosted, or llama.cpp, vLLM, Ollama and others that speak the same.

    Turn ─prompt─▶ messages ─▶ POST /chat/completions ─▶ events ─wire─▶ pieces ─▶ Delta … Final
                                     └─ refusals ─▶ once more, or Failed

prompt     what it is told: who it is, where it speaks, what was said
wire       what its answers mean
refusals   what its errors mean
agent      asks it, for all turns at once
soul       reads who the operator wants it to be
opening    gives the agent its client, for as long as the gateway runs
"""
