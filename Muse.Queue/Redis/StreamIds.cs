using System.Globalization;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Ids of stream entries: <c>{milliseconds}-{sequence}</c>.</summary>
static class StreamIds
{
    /// <summary>Whether a text is an id. Redis answers other texts with an error.</summary>
    public static bool IsValid(string id) =>
        id.Split('-') is [var milliseconds, var sequence] && ulong.TryParse(milliseconds, out _) && ulong.TryParse(sequence, out _);

    /// <summary>When the entry was added, by the clock of Redis.</summary>
    public static DateTimeOffset Time(RedisValue id)
    {
        var text = id.ToString();
        return DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(text.AsSpan(0, text.IndexOf('-')), CultureInfo.InvariantCulture));
    }
}
