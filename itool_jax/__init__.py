"""itool_jax: iterative reinforced fine-tuning of language models for tool calling.

Shape letters, used as suffixes of array names and in einsums:
    B batch row     S token in a row   T tree        G branch of a tree   R node of a row
    L layer         D embedding        N heads       K KV heads           H head dimension
    F feed-forward  V vocabulary       P prompt col. A arena column       C completion of a row   Q pair of a row
"""
