"""The dialects on the wire: each module turns an `Answer` into a plain body and into the events of a stream."""
