using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Reads a job's hash.</summary>
internal static class JobRecord
{
    /// <summary>The snapshot, or null for a hash that is missing or damaged.</summary>
    public static JobSnapshot? Read(HashEntry[] hash)
    {
        if (hash.Length == 0) return null;
        var fields = new Dictionary<string, RedisValue>(hash.Length);
        foreach (var entry in hash) fields[entry.Name.ToString()] = entry.Value;
        RedisValue Field(string name) => fields.GetValueOrDefault(name);

        if (QueueJson.ReadJob(Field("job"), out _) is not { } job) return null;
        if (State(Field("state")) is not { } state) return null;
        var accepted = Time(Field("at"));
        var pictures = new PictureSnapshot[job.Count];
        for (var index = 0; index < job.Count; index++)
        {
            var i = PictureFields[index];
            if (State(Field(i.State)) is not { } pictureState) return null;
            var result = QueueJson.ReadResult(Field(i.Result));
            var (begun, ended) = (Time(Field(i.Begun)), Time(Field(i.Ended)));
            pictures[index] = new PictureSnapshot
            {
                Index = index,
                State = pictureState,
                Seed = unchecked(job.Seed + index),
                Step = pictureState == JobState.Succeeded ? result?.Steps ?? 0 : Int(Field(i.Step)),
                Steps = result is { Steps: > 0 } ? result.Steps : Int(Field(i.Steps)),
                Previews = Int(Field(i.Previews)),
                Worker = Field(i.Worker),
                Timings = ended is null ? null : new PictureTimings((begun ?? ended) - accepted ?? default, ended - begun ?? default),
                Width = result?.Width ?? 0,
                Height = result?.Height ?? 0,
                PromptCutOff = result?.PromptCutOff,
                Flagged = result?.Flagged ?? false,
                Error = result?.Error,
            };
        }
        return new JobSnapshot
        {
            Job = job,
            State = state,
            Revision = (long)Math.Max(1, Number(Field("revision"))),
            Pictures = pictures,
            StartedAt = Time(Field("started")),
            FinishedAt = Time(Field("finished")),
        };
    }

    /// <summary>A picture of the pictures hash, or null.</summary>
    public static StoredPicture? Picture(RedisValue bytes, RedisValue info)
    {
        if (bytes.IsNull || info.IsNull) return null;
        var parts = info.ToString().Split(' ');
        return parts.Length == 3 && Enum.TryParse<PictureFormat>(parts[0], out var format) && int.TryParse(parts[1], out var width) && int.TryParse(parts[2], out var height)
            ? new StoredPicture((ReadOnlyMemory<byte>)bytes, format, width, height)
            : null;
    }

    public static RedisValue Info(StoredPicture picture) => $"{picture.Format} {picture.Width} {picture.Height}";

    public static JobState? State(RedisValue value) =>
        !value.IsNull && value.TryParse(out int number) && number is >= 0 and <= (int)JobState.Cancelled ? (JobState)number : null;

    static double Number(RedisValue value) => value.TryParse(out long number) ? number : 0;
    static int Int(RedisValue value) => value.TryParse(out int number) ? number : 0;

    static DateTimeOffset? Time(RedisValue value) =>
        // A missing field parses as 0, which would be a time.
        !value.IsNull && value.TryParse(out long milliseconds) && milliseconds is >= 0 and < 253_402_300_799_000 ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;

    static readonly Names[] PictureFields = [.. Enumerable.Range(0, 10).Select(i => new Names(i))];

    /// <summary>The names of one picture's fields, made once.</summary>
    sealed class Names(int i)
    {
        public readonly string State = $"{i}:state", Result = $"{i}:result", Begun = $"{i}:begun", Ended = $"{i}:ended", Step = $"{i}:step",
            Steps = $"{i}:steps", Previews = $"{i}:previews", Worker = $"{i}:worker";
    }
}
