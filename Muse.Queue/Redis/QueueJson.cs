using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>How records lie in Redis: JSON, read with limits, because what lies in Redis may be damaged.</summary>
static class QueueJson
{
    /// <summary>
    /// The largest job that is written or read, bytes. The API reads bodies of up to 1 MB, and JSON needs at most three times as much for
    /// the same text (12 bytes for a character of 4).
    /// </summary>
    public const int MaxJobBytes = 4 << 20;

    /// <summary>Writes text as UTF-8 instead of escapes of six bytes a character. No browser reads it.</summary>
    static readonly QueueJsonContext Compact = new(new(QueueJsonContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static byte[] Write(ImageJob job) => JsonSerializer.SerializeToUtf8Bytes(job, Compact.ImageJob);
    public static byte[] Write(PictureResult result) => JsonSerializer.SerializeToUtf8Bytes(result, QueueJsonContext.Default.PictureResult);
    public static byte[] Write(WorkerHeartbeat heartbeat) => JsonSerializer.SerializeToUtf8Bytes(heartbeat, QueueJsonContext.Default.WorkerHeartbeat);
    public static byte[] Write(ModelCard card) => JsonSerializer.SerializeToUtf8Bytes(card, QueueJsonContext.Default.ModelCard);
    public static byte[] Write(ScalingDecision decision) => JsonSerializer.SerializeToUtf8Bytes(decision, QueueJsonContext.Default.ScalingDecision);

    /// <summary>The job, or null with the reason why it can't be one.</summary>
    public static ImageJob? ReadJob(RedisValue json, out string reason)
    {
        reason = "";
        var bytes = (ReadOnlyMemory<byte>)json;
        if (bytes.Length is 0 or > MaxJobBytes)
        {
            reason = "The job is empty or too large.";
        }
        else
        {
            try
            {
                var job = JsonSerializer.Deserialize(bytes.Span, QueueJsonContext.Default.ImageJob);
                reason = Fault(job) ?? "";
                // The generated reader gives null, not the property's default, where the JSON does not name it.
                if (reason == "")
                    return job!.NegativePrompt is null ? job with { NegativePrompt = "" } : job;
            }
            catch (Exception problem) when (problem is JsonException or FormatException or InvalidOperationException or ArgumentException)
            {
                reason = $"The job can't be read: {problem.Message}";
            }
        }

        return null;
    }

    /// <summary>Why a job can't be one, or null.</summary>
    public static string? Fault(ImageJob? job) => job switch
    {
        null => "The job is null.",
        { Count: < 1 or > 10 } => "The job's count is not 1 to 10.",
        { Previews: < 0 or > 100 } => "The job's previews are not 0 to 100.",
        _ when !Enum.IsDefined(job.Format) => "The job's format is unknown.",
        _ when !Enum.IsDefined(job.Priority) => "The job's priority is unknown.",
        _ => null,
    };

    public static PictureResult? ReadResult(RedisValue json) => Read(json, QueueJsonContext.Default.PictureResult);
    public static WorkerHeartbeat? ReadHeartbeat(RedisValue json) => Read(json, QueueJsonContext.Default.WorkerHeartbeat);
    public static ModelCard? ReadCard(RedisValue json) => Read(json, QueueJsonContext.Default.ModelCard);
    public static ScalingDecision? ReadDecision(RedisValue json) => Read(json, QueueJsonContext.Default.ScalingDecision);

    /// <summary>What can't be read is as good as not there.</summary>
    static T? Read<T>(RedisValue json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) where T : class
    {
        if (json.IsNullOrEmpty)
            return null;
        try
        {
            return JsonSerializer.Deserialize(((ReadOnlyMemory<byte>)json).Span, type);
        }
        catch (Exception problem) when (problem is JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>What is kept of a picture's end, beside its bytes.</summary>
sealed record PictureResult(int Steps = 0, int Width = 0, int Height = 0, string? PromptCutOff = null, bool Flagged = false, JobError? Error = null);

[JsonSourceGenerationOptions(
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    MaxDepth = 8,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ImageJob))]
[JsonSerializable(typeof(PictureResult))]
[JsonSerializable(typeof(WorkerHeartbeat))]
[JsonSerializable(typeof(ModelCard))]
[JsonSerializable(typeof(ScalingDecision))]
sealed partial class QueueJsonContext : JsonSerializerContext;
