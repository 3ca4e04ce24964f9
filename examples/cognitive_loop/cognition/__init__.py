"""What the stages of the cognitive loop share: a corpus, and how alike texts are."""
