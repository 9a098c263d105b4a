using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The fields of a job's hash in Redis: their names, and how they are read.</summary>
static class JobHash
{
    /// <summary>Images of a job at most.</summary>
    public const int MaxImages = 10;

    const int FieldsOfJob = 5, FieldsOfImage = 8;

    // By the number of images. The order is that of Read.
    static readonly RedisValue[][] AllFields = [.. Enumerable.Range(0, MaxImages + 1).Select(count => (RedisValue[])
        ["state", "revision", "started", "finished", "at", .. Enumerable.Range(0, count).SelectMany(i => (RedisValue[])
            [$"{i}:state", $"{i}:result", $"{i}:begun", $"{i}:ended", $"{i}:step", $"{i}:steps", $"{i}:previews", $"{i}:worker"])])];

    /// <summary>The fields of a job's hash, without its request.</summary>
    public static RedisValue[] Fields(ImageJob job) => AllFields[job.Count];

    /// <summary>The snapshot. Null if the hash is missing or damaged.</summary>
    public static JobSnapshot? Read(HashEntry[] hash)
    {
        if (hash.Length == 0)
            return null;
        var fields = new Dictionary<RedisValue, RedisValue>(hash.Length);
        foreach (var entry in hash)
            fields[entry.Name] = entry.Value;
        return QueueJson.ReadJob(fields.GetValueOrDefault("job"), out _) is { } job
            ? Read(job, Array.ConvertAll(Fields(job), name => fields.GetValueOrDefault(name)))
            : null;
    }

    /// <summary>The snapshot of a known job from the values of its <see cref="Fields"/>. Null if the hash is missing or damaged.</summary>
    public static JobSnapshot? Read(ImageJob job, ReadOnlySpan<RedisValue> values)
    {
        if (State(values[0]) is not { } state)
            return null;
        var accepted = Time(values[4]);
        var images = new ImageSnapshot[job.Count];
        for (var index = 0; index < job.Count; index++)
        {
            var of = values.Slice(FieldsOfJob + index * FieldsOfImage, FieldsOfImage);
            if (State(of[0]) is not { } imageState)
                return null;
            var result = QueueJson.ReadResult(of[1]);
            var (begun, ended) = (Time(of[2]), Time(of[3]));
            images[index] = new ImageSnapshot
            {
                Index = index,
                State = imageState,
                Seed = unchecked(job.Seed + index),
                Step = imageState == JobState.Succeeded ? result?.Steps ?? 0 : Int(of[4]),
                Steps = result is { Steps: > 0 } ? result.Steps : Int(of[5]),
                Previews = Int(of[6]),
                Worker = of[7],
                Timings = ended is null ? null : new ImageTimings((begun ?? ended) - accepted ?? default, ended - begun ?? default),
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
            Revision = (long)Math.Max(1, Number(values[1])),
            Images = images,
            StartedAt = Time(values[2]),
            FinishedAt = Time(values[3]),
        };
    }

    /// <summary>The field of an image's hash with its bytes.</summary>
    public static readonly RedisValue ImageBytes = "bytes";

    /// <summary>The field of an image's hash with its format and size, and with the pointer to its object if there is one.</summary>
    public static readonly RedisValue ImageInfo = "info";

    /// <summary>An image from its bytes, which are null if they are in the object store, and its <see cref="Info"/>.</summary>
    /// <returns>Null where the info is missing.</returns>
    public static StoredImage? Image(Lease<byte>? bytes, RedisValue info)
    {
        var parts = info.ToString().Split(' ');
        return parts.Length is 3 or 5 && Enum.TryParse<OutputFormat>(parts[0], out var format)
            && int.TryParse(parts[1], out var width) && int.TryParse(parts[2], out var height)
            ? new StoredImage(bytes?.Memory ?? default, format, width, height, bytes)
            : null;
    }

    /// <summary>The pointer to an image's object; null if its bytes are in Redis.</summary>
    public static StoredObject? Object(RedisValue info) =>
        info.ToString().Split(' ', 4) is [_, _, _, var pointer] ? StoredObject.Parse(pointer) : null;

    public static RedisValue Info(StoredImage image, StoredObject? stored = null) =>
        stored is { } pointer ? $"{image.Format} {image.Width} {image.Height} {pointer}" : $"{image.Format} {image.Width} {image.Height}";

    public static JobState? State(RedisValue value) =>
        !value.IsNull && value.TryParse(out int number) && number is >= 0 and <= (int)JobState.Cancelled ? (JobState)number : null;

    static double Number(RedisValue value) => value.TryParse(out long number) ? number : 0;
    static int Int(RedisValue value) => value.TryParse(out int number) ? number : 0;

    static DateTimeOffset? Time(RedisValue value) =>
        // A missing field parses as 0, which is a valid time.
        !value.IsNull && value.TryParse(out long milliseconds) && milliseconds is >= 0 and < 253_402_300_799_000
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
            : null;
}
