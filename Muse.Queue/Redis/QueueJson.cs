using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The JSON of records in Redis. It is read with limits, since stored data may be damaged.</summary>
static class QueueJson
{
    /// <summary>
    /// The largest job that is written or read, bytes. The API reads bodies of up to 1 MB, and JSON needs at most three times as much for
    /// the same text (12 bytes for a character of 4).
    /// </summary>
    public const int MaxJobBytes = 4 << 20;

    /// <summary>Writes text as UTF-8 instead of escapes of six bytes a character. No browser reads it.</summary>
    static readonly QueueJsonContext Compact =
        new(new(QueueJsonContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static byte[] Write(ImageJob job) => JsonSerializer.SerializeToUtf8Bytes(job, Compact.ImageJob);
    public static byte[] Write(ImageResult result) => JsonSerializer.SerializeToUtf8Bytes(result, QueueJsonContext.Default.ImageResult);
    public static byte[] Write(WebhookDelivery delivery) =>
        JsonSerializer.SerializeToUtf8Bytes(delivery, QueueJsonContext.Default.WebhookDelivery);
    public static byte[] Write(WorkerHeartbeat heartbeat) =>
        JsonSerializer.SerializeToUtf8Bytes(heartbeat, QueueJsonContext.Default.WorkerHeartbeat);
    public static byte[] Write(ModelCard card) => JsonSerializer.SerializeToUtf8Bytes(card, QueueJsonContext.Default.ModelCard);
    public static byte[] Write(ScalingDecision decision) =>
        JsonSerializer.SerializeToUtf8Bytes(decision, QueueJsonContext.Default.ScalingDecision);

    /// <summary>Reads a job. Returns null and the reason if it is invalid.</summary>
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
                reason = FindError(job) ?? "";
                // The generated reader sets null, not the property's default, for a property that is missing in the JSON.
                if (reason == "")
                    return job!.NegativePrompt is null ? job with { NegativePrompt = "" } : job;
            }
            catch (Exception exception) when (IsInvalid(exception))
            {
                reason = $"The job can't be read: {exception.Message}";
            }
        }

        return null;
    }

    /// <summary>Why a job is invalid, or null.</summary>
    public static string? FindError(ImageJob? job) => job switch
    {
        null => "The job is null.",
        { Count: < 1 or > 10 } => "The job's count is not 1 to 10.",
        { Previews: < 0 or > 100 } => "The job's previews are not 0 to 100.",
        { Input: not null, Width: null } or { Input: not null, Height: null } => "The job has an input image and no size.",
        { Input: { Strength: not (> 0 and <= 1) } } => "The strength of the job's input is not above 0 and at most 1.",
        { Input: { } input } when input.ContentWidth < 1 || input.ContentWidth > job.Width
            || input.ContentHeight < 1 || input.ContentHeight > job.Height => "The job's input has content outside its size.",
        _ when !Enum.IsDefined(job.Format) => "The job's format is unknown.",
        _ when !Enum.IsDefined(job.Priority) => "The job's priority is unknown.",
        _ => null,
    };

    public static ImageResult? ReadResult(RedisValue json) => Read(json, QueueJsonContext.Default.ImageResult);
    public static WebhookDelivery? ReadDelivery(RedisValue json) => Read(json, QueueJsonContext.Default.WebhookDelivery);
    public static WorkerHeartbeat? ReadHeartbeat(RedisValue json) => Read(json, QueueJsonContext.Default.WorkerHeartbeat);
    public static ModelCard? ReadCard(RedisValue json) => Read(json, QueueJsonContext.Default.ModelCard);
    public static ScalingDecision? ReadDecision(RedisValue json) => Read(json, QueueJsonContext.Default.ScalingDecision);

    static bool IsInvalid(Exception exception) =>
        exception is JsonException or FormatException or InvalidOperationException or ArgumentException;

    /// <summary>Reads a record, or null if it is missing or invalid.</summary>
    static T? Read<T>(RedisValue json, JsonTypeInfo<T> type) where T : class
    {
        if (json.IsNullOrEmpty)
            return null;
        try
        {
            return JsonSerializer.Deserialize(((ReadOnlyMemory<byte>)json).Span, type);
        }
        catch (Exception exception) when (IsInvalid(exception))
        {
            return null;
        }
    }
}

/// <summary>The stored result of an image, without its bytes.</summary>
sealed record ImageResult(
    int Steps = 0, int Width = 0, int Height = 0, string? PromptCutOff = null, bool Flagged = false, JobError? Error = null);

[JsonSourceGenerationOptions(
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    MaxDepth = 8,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ImageJob))]
[JsonSerializable(typeof(ImageResult))]
[JsonSerializable(typeof(WebhookDelivery))]
[JsonSerializable(typeof(WorkerHeartbeat))]
[JsonSerializable(typeof(ModelCard))]
[JsonSerializable(typeof(ScalingDecision))]
sealed partial class QueueJsonContext : JsonSerializerContext;
