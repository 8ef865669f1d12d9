"""The hub: one address for a team, one ordinary agent behind it for each member.

    laptop ── TLS, token ──→ doorkeeper ──→ the member's own agent (own process, own folder, own socket)

Who a row belongs to follows from the token it came with and from nothing in the data. A member's question is answered
by the member's own agent, whose sandbox knows no other folder; so one member's rows are out of another's reach by
construction, not by a filter.
"""
