"""Proofs of publication for anybody: files, the checkpoint, the chain of seals, the verifier."""
