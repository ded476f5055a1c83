"""Training of the prompt writer: from texts alone, with vectors disturbed as regressors err."""
