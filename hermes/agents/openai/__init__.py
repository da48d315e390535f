"""A language model behind OpenAI's chat completions: hosted, or llama.cpp, vLLM, Ollama and others that speak the same.

    Turn ─prompt─▶ messages ─▶ POST /chat/completions ─▶ events ─wire─▶ pieces ─answer─▶ Delta … Final
             ▲                       └─ refusals ─▶ once more, or Failed     └ calls ─▶ AgentIO.call
             └────────────────────────────────────────────── work ───────────────────────────┘

prompt     what it is told: who it is, where it speaks, what was said
wire       what its answers mean
answer     one of them, as it comes
work       the tools that it calls, and what it is shown of that
refusals   what its errors mean
agent      asks it, for all turns at once
home       reads who the operator wants it to be, and what it keeps in mind
opening    gives the agent its client, for as long as the gateway runs
"""
