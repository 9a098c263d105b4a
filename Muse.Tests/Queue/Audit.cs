using StackExchange.Redis;

namespace Muse.Tests.Queue;

/// <summary>Looks at what lies in Redis.</summary>
static class Audit
{
    /// <summary>Keys that would stay for ever, but for those that are bounded: streams, dead letters and counters.</summary>
    public static async Task<List<string>> KeysWithoutExpiryAsync(IDatabase redis)
    {
        var found = new List<string>();
        foreach (var server in redis.Multiplexer.GetServers())
        {
            await foreach (var key in server.KeysAsync(pattern: "*", pageSize: 1000))
            {
                var name = key.ToString();
                if (name.EndsWith(":stream:interactive", StringComparison.Ordinal)
                    || name.EndsWith(":stream:batch", StringComparison.Ordinal)
                    || name.EndsWith(":stats", StringComparison.Ordinal) || name.EndsWith(":dead", StringComparison.Ordinal))
                {
                    continue;
                }

                if (await redis.KeyTimeToLiveAsync(key) is null && await redis.KeyExistsAsync(key))
                    found.Add(name);
            }
        }

        return found;
    }
}
