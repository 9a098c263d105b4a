using System.Globalization;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Images that a worker started at the same time.</summary>
/// <param name="Id">The id of the stream entry; increases with time.</param>
/// <param name="At">When they were started, by the clock of Redis.</param>
/// <param name="Waited">The time from acceptance until then, for each image.</param>
public sealed record StartedImages(string Id, DateTimeOffset At, IReadOnlyList<TimeSpan> Waited)
{
    /// <summary>Reads an entry. Damaged numbers are skipped.</summary>
    internal static StartedImages Read(StreamEntry entry)
    {
        var waited = new List<TimeSpan>();
        foreach (var text in entry["milliseconds"].ToString().Split(' '))
        {
            if (double.TryParse(text, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds is >= 0 and < 1e12)
                waited.Add(TimeSpan.FromMilliseconds(milliseconds));
        }

        return new(entry.Id.ToString(), StreamIds.Time(entry.Id), waited);
    }
}
