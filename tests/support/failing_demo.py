"""`batchsum demo` on a service that finds every answer too large, to see whether the demo would notice."""

if __name__ == "__main__":
    import sys
    from unittest import mock

    from consumer.__main__ import main
    from consumer.work import Work
    from domain.batch import Limits

    sys.argv[1:] = ["demo", "--batches", "5"]
    with mock.patch("consumer.service.default_work", return_value=Work(batch_limits=Limits(result_bytes_max=1))):
        main()
