"""Record batches as Kafka keeps them: taken from the log, decoded and encoded in workers, sealed for a producer.

Bytes that the service only passes on are passed on as bytes: between the broker and the workers, the event loop looks at
the headers of record batches and never at a record.
"""
