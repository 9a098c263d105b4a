-- Does what every part of Muse needs: streams, a write, a message. It fails where Redis does not support or allow one of them.
measure(INTERACTIVE)
measure(BATCH)
redis.call('XPENDING', STREAMS[INTERACTIVE], GROUP, 'IDLE', 1, '-', '+', 1) -- Since Redis 6.2.
redis.call('SET', PROBE, now(), 'PX', PROBE_RETENTION)
redis.call('PUBLISH', EVENTS, '')
redis.call('PUBLISH', SIGNALS, '')
return 1
