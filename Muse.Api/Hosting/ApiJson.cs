using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>Serialization of every request and response, generated at build time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ImagesRequest))]
[JsonSerializable(typeof(EditsRequest))]
[JsonSerializable(typeof(ImagesResponseBody))]
[JsonSerializable(typeof(GenerationBody))]
[JsonSerializable(typeof(PredictRequest))]
[JsonSerializable(typeof(OpenAIErrorBody))]
[JsonSerializable(typeof(ProblemBody))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ModelDescription))]
[JsonSerializable(typeof(Generation))]
[JsonSerializable(typeof(GenerationList))]
[JsonSerializable(typeof(PredictResponse))]
[JsonSerializable(typeof(SystemInfo))]
[JsonSerializable(typeof(WebhookBody))]
[JsonSerializable(typeof(OperationsNow))]
[JsonSerializable(typeof(OperationsPoint[]))]
[JsonSerializable(typeof(OperationsDeadLetters))]
[JsonSerializable(typeof(FailedWebhookList))]
[JsonSerializable(typeof(Automatic1111Body))]
[JsonSerializable(typeof(Automatic1111Images))]
[JsonSerializable(typeof(Automatic1111Info))]
[JsonSerializable(typeof(Automatic1111Options))]
[JsonSerializable(typeof(Automatic1111OptionsBody))]
[JsonSerializable(typeof(Automatic1111Progress))]
[JsonSerializable(typeof(Automatic1111Error))]
[JsonSerializable(typeof(ImageInfoBody))]
[JsonSerializable(typeof(ImageInfo))]
[JsonSerializable(typeof(IReadOnlyList<CheckpointItem>))]
[JsonSerializable(typeof(IReadOnlyList<SamplerItem>))]
[JsonSerializable(typeof(IReadOnlyList<SchedulerItem>))]
[JsonSerializable(typeof(IReadOnlyList<UpscalerItem>))]
[JsonSerializable(typeof(IReadOnlyList<NamedItem>))]
[JsonSerializable(typeof(EmbeddingItems))]
[JsonSerializable(typeof(ScriptNames))]
[JsonSerializable(typeof(EmptyObject))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(bool))]
public sealed partial class ApiJson : JsonSerializerContext;

/// <summary>
/// The same without escaped quotes in messages. Safe, as <c>nosniff</c> keeps browsers from reading these responses as markup.
/// </summary>
static class ReadableJson
{
    public static readonly ApiJson Default =
        new(new JsonSerializerOptions(ApiJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
