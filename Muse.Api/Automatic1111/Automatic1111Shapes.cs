using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>An error as AUTOMATIC1111's API writes it.</summary>
/// <param name="Error">A stable word for programs.</param>
/// <param name="Detail">A sentence for a person.</param>
/// <param name="Body">The wrong field, where there is one.</param>
/// <param name="Errors">The same as <paramref name="Detail"/>.</param>
public sealed record Automatic1111Error(string Error, string Detail, string Body, string Errors)
{
    /// <summary>The body for an error.</summary>
    public static Automatic1111Error From(ApiError error) => new(error.Code, error.Message, error.Field ?? "", error.Message);
}

/// <summary>The response of <c>txt2img</c> and <c>img2img</c>. <see cref="Automatic1111Response"/> writes it in pieces.</summary>
/// <param name="Images">The files as Base64.</param>
/// <param name="Parameters">The request, without its images.</param>
/// <param name="Info">What was generated, as a string with JSON in it.</param>
public sealed record Automatic1111Images(IReadOnlyList<string> Images, Automatic1111Body Parameters, string Info);

/// <summary>The JSON in <see cref="Automatic1111Images.Info"/>.</summary>
public sealed record Automatic1111Info
{
    /// <summary>The prompt.</summary>
    public required string Prompt { get; init; }
    /// <summary>The prompt of each image.</summary>
    public required IReadOnlyList<string> AllPrompts { get; init; }
    /// <summary>The negative prompt.</summary>
    public required string NegativePrompt { get; init; }
    /// <summary>The negative prompt of each image.</summary>
    public required IReadOnlyList<string> AllNegativePrompts { get; init; }
    /// <summary>The first image's seed.</summary>
    public required ulong Seed { get; init; }
    /// <summary>The seed of each image.</summary>
    public required IReadOnlyList<ulong> AllSeeds { get; init; }
    /// <summary>Always the seed: there are no variations.</summary>
    public required ulong Subseed { get; init; }
    /// <summary>Always the seeds.</summary>
    public required IReadOnlyList<ulong> AllSubseeds { get; init; }
    /// <summary>Always 0.</summary>
    public double SubseedStrength { get; init; }
    /// <summary>Width, pixels.</summary>
    public required int Width { get; init; }
    /// <summary>Height, pixels.</summary>
    public required int Height { get; init; }
    /// <summary>The sampler.</summary>
    public required string SamplerName { get; init; }
    /// <summary>Classifier-free guidance scale.</summary>
    public required float CfgScale { get; init; }
    /// <summary>Denoising steps.</summary>
    public required int Steps { get; init; }
    /// <summary>Number of images.</summary>
    public required int BatchSize { get; init; }
    /// <summary>Always false.</summary>
    public bool RestoreFaces { get; init; }
    /// <summary>Always null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? FaceRestorationModel { get; init; }
    /// <summary>The model.</summary>
    public required string SdModelName { get; init; }
    /// <summary>Not known: empty.</summary>
    public string SdModelHash { get; init; } = "";
    /// <summary>How far from its first image the result may be; null without one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public double? DenoisingStrength { get; init; }
    /// <summary>Always empty.</summary>
    public IReadOnlyDictionary<string, string> ExtraGenerationParams { get; init; } = new Dictionary<string, string>();
    /// <summary>Always 0: no grid comes first.</summary>
    public int IndexOfFirstImage { get; init; }
    /// <summary>How each image was made, as its file says it.</summary>
    public required IReadOnlyList<string> Infotexts { get; init; }
    /// <summary>Always empty.</summary>
    public IReadOnlyList<string> Styles { get; init; } = [];
    /// <summary>When the job was accepted, as the web UI writes times.</summary>
    public required string JobTimestamp { get; init; }
    /// <summary>Always 1: all layers of the text encoder count.</summary>
    public int ClipSkip { get; init; } = 1;
    /// <summary>Always false.</summary>
    public bool IsUsingInpaintingConditioning { get; init; }
    /// <summary>The server's name.</summary>
    public string Version { get; init; } = "Muse";
    /// <summary>Fields that had no effect or another one than asked for, each in a sentence.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>The options. All but the model's name are constants.</summary>
public sealed record Automatic1111Options
{
    /// <summary>The served model.</summary>
    public string? SdModelCheckpoint { get; init; }
    /// <summary>Not known: empty.</summary>
    public string SdCheckpointHash { get; init; } = "";
    /// <summary>The model's own.</summary>
    public string SdVae { get; init; } = "Automatic";
    /// <summary>The format of images unless a request overrides it.</summary>
    public string SamplesFormat { get; init; } = "png";
    /// <summary>How weights work.</summary>
    public string Emphasis { get; init; } = "Original";
    /// <summary>All layers of the text encoder count.</summary>
    [JsonPropertyName("CLIP_stop_at_last_layers")]
    public int ClipStopAtLastLayers { get; init; } = 1;
    /// <summary>Previews for <c>progress</c> are made.</summary>
    public bool LivePreviewsEnable { get; init; } = true;
}

/// <summary>The body that sets options.</summary>
/// <param name="SdModelCheckpoint">The model to use, which must be the served one.</param>
public sealed record Automatic1111OptionsBody(string? SdModelCheckpoint = null);

/// <summary>A model.</summary>
/// <param name="Title">Its name.</param>
/// <param name="ModelName">Its name.</param>
/// <param name="Filename">Its name; the path is not shown.</param>
public sealed record CheckpointItem(string Title, string ModelName, string Filename)
{
    /// <summary>Not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Hash { get; init; }
    /// <summary>Not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Sha256 { get; init; }
    /// <summary>Not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Config { get; init; }
}

/// <summary>A sampler.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Aliases">Other names.</param>
/// <param name="Options">Always empty.</param>
public sealed record SamplerItem(string Name, IReadOnlyList<string> Aliases, IReadOnlyDictionary<string, string> Options);

/// <summary>A schedule of noise levels.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Label">Its name for people.</param>
public sealed record SchedulerItem(string Name, string Label)
{
    /// <summary>Always null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public IReadOnlyList<string>? Aliases { get; init; }
    /// <summary>Always -1.</summary>
    public double DefaultRho { get; init; } = -1;
    /// <summary>Always false.</summary>
    public bool NeedInnerModel { get; init; }
}

/// <summary>An upscaler; the only one is "None".</summary>
/// <param name="Name">Its name.</param>
public sealed record UpscalerItem(string Name)
{
    /// <summary>Always null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? ModelName { get; init; }
    /// <summary>Always null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? ModelPath { get; init; }
    /// <summary>Always null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? ModelUrl { get; init; }
    /// <summary>Always 1.</summary>
    public double Scale { get; init; } = 1;
}

/// <summary>Something that there is none of.</summary>
/// <param name="Name">Its name.</param>
public sealed record NamedItem(string Name);

/// <summary>Textual inversions. The model's own words are read wherever they stand, so none are listed.</summary>
/// <param name="Loaded">Always empty.</param>
/// <param name="Skipped">Always empty.</param>
public sealed record EmbeddingItems(IReadOnlyDictionary<string, NamedItem> Loaded, IReadOnlyDictionary<string, NamedItem> Skipped);

/// <summary>Scripts.</summary>
/// <param name="Txt2img">Always empty.</param>
/// <param name="Img2img">Always empty.</param>
public sealed record ScriptNames(IReadOnlyList<string> Txt2img, IReadOnlyList<string> Img2img);

/// <summary>An empty object.</summary>
public sealed record EmptyObject;

/// <summary>The progress of the caller's present job.</summary>
public sealed record Automatic1111Progress
{
    /// <summary>0 to 1; 0 where there is no job.</summary>
    public double Progress { get; init; }
    /// <summary>Seconds that are left, as far as the steps so far tell.</summary>
    public double EtaRelative { get; init; }
    /// <summary>The job.</summary>
    public required Automatic1111State State { get; init; }
    /// <summary>The latest preview as Base64.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? CurrentImage { get; init; }
    /// <summary>Always null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Textinfo { get; init; }
}

/// <summary>The state of the caller's present job.</summary>
public sealed record Automatic1111State
{
    /// <summary>Always false.</summary>
    public bool Skipped { get; init; }
    /// <summary>Always false.</summary>
    public bool Interrupted { get; init; }
    /// <summary>Always false.</summary>
    public bool StoppingGeneration { get; init; }
    /// <summary>The job's id; empty where there is none.</summary>
    public string Job { get; init; } = "";
    /// <summary>Images of the job; 0 where there is none.</summary>
    public int JobCount { get; init; }
    /// <summary>When the job was accepted; "0" where there is none.</summary>
    public string JobTimestamp { get; init; } = "0";
    /// <summary>Images that are completed.</summary>
    public int JobNo { get; init; }
    /// <summary>Steps of the present image.</summary>
    public int SamplingStep { get; init; }
    /// <summary>Steps of the present image in all.</summary>
    public int SamplingSteps { get; init; }
}

/// <summary>The body of <c>png-info</c>.</summary>
public sealed record ImageInfoBody
{
    /// <summary>The file as Base64 or a data: URL.</summary>
    [JsonConverter(typeof(InputFileConverter))]
    public InputFile? Image { get; init; }
}

/// <summary>The response of <c>png-info</c>.</summary>
/// <param name="Info">How the image was made; empty where its file does not say.</param>
/// <param name="Items">The file's texts.</param>
/// <param name="Parameters">The fields of <paramref name="Info"/>.</param>
public sealed record ImageInfo(string Info, IReadOnlyDictionary<string, string> Items, IReadOnlyDictionary<string, string> Parameters);
