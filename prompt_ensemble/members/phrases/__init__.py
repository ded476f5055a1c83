"""The member that blends the phrases nearest to the vectors of another."""
