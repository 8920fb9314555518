"""One slice in one invocation: delivers it, judges its round, writes its account down."""
