"""How many parameters the networks of sequences have, against the published numbers."""

from lampion import models


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_gpt2(nothing_is_computed):
    assert count(models.GPT(models.GPTConfig())) == 124_439_808
    medium = models.GPTConfig(n_layer=24, n_head=16, n_embd=1024)
    assert count(models.GPT(medium)) == 354_823_168


def test_bert_base(nothing_is_computed):
    assert count(models.BertModel()) == 109_482_240


def test_vit_b_16(nothing_is_computed):
    assert count(models.vit_b_16()) == 86_567_656


def test_transformer_base(nothing_is_computed):
    """Table 3 says 65 millions, with 37,000 tokens; counted layer by layer."""
    d, ff = 512, 2048
    attention, norm = 4 * (d * d + d), 2 * d
    forward = d * ff + ff + ff * d + d
    expected = 6 * (attention + forward + 2 * norm) + 6 * (2 * attention + forward + 3 * norm)
    model = models.Transformer(37000, 37000, share_embeddings=True)
    assert count(model) == expected + 37000 * d == 63_082_496
