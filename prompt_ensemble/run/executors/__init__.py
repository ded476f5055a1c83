"""Who makes the shards of a member: this process, or one worker process a device."""
