using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>A model's UNet, run over any number of rows in buffers that stay where they are.</summary>
/// <remarks>
/// Each number of rows of each shape has one <see cref="DenoiserBinding"/>, all over the same buffers. For a device with memory of its own,
/// inputs are copied there when they are bound, those that don't change from step to step only when they do, and for one number of rows at a time.
/// </remarks>
sealed class Denoiser : IDisposable
{
    internal const string Sample = "sample", Timestep = "timestep", HiddenStates = "encoder_hidden_states";
    internal const string TextEmbeds = "text_embeds", TimeIds = "time_ids", GuidanceEmbedding = "timestep_cond";

    // Enough for every number of rows of a few sizes; more only costs binding them again.
    const int MostBindings = 256;

    static readonly TensorElementType[] Real = [TensorElementType.Float, TensorElementType.Float16];

    readonly HostMemory memory;
    readonly Dictionary<(LatentShape, int Tokens, int Rows), DenoiserBinding> bindings = [];
    readonly RowPadding? padding;
    RowCondition[] held = [];
    int heldTokens;
    DenoiserBinding? inUse;

    public Denoiser(Graph graph, int? guidanceEmbeddingLength)
    {
        Graph = graph;
        memory = HostMemory.For(graph.Session, graph.Provider);
        padding = graph.Provider.KeepsOneShape ? new RowPadding() : null;
        graph.AllowInputs(Sample, Timestep, HiddenStates, TextEmbeds, TimeIds, GuidanceEmbedding);
        var sample = graph.RequiredInput(Sample);
        graph.Check(sample, "input", [4], Real);
        if (sample.Dimensions[0] is { } batch)
            throw graph.Refused($"input '{Sample}' has a fixed batch of {batch}; Muse needs it to vary: export the model with dynamic axes.");
        var output = graph.Outputs.FirstOrDefault(o => o.Name == "out_sample") ?? graph.Outputs[0];
        graph.Check(output, "output", [4], Real);
        if (sample.Dimensions[1] is { } takes && output.Dimensions[1] is { } gives && takes != gives)
            throw graph.Refused($"input '{Sample}' has {takes} channels and output '{output.Name}' {gives}; {(takes > gives ? "models that take a picture or a mask beside the latent (inpainting, upscaling, editing) can't paint from text alone" : "they must be equal")}.");
        var timestep = graph.RequiredInput(Timestep);
        graph.Check(timestep, "input", [0, 1], TensorElementType.Int64, TensorElementType.Int32, TensorElementType.Float, TensorElementType.Float16, TensorElementType.Double);
        if (timestep.Dimensions is [{ } steps and not 1])
            throw graph.Refused($"input '{Timestep}' has a fixed length of {steps}; it must be 1, or vary.");
        var hidden = graph.RequiredInput(HiddenStates);
        graph.Check(hidden, "input", [3], Real);
        (Channels, Height, Width) = (sample.Dimensions[1], sample.Dimensions[2], sample.Dimensions[3]);
        (Tokens, EmbeddingWidth) = (hidden.Dimensions[1], hidden.Dimensions[2]);
        TimestepIsScalar = timestep.Dimensions.Length == 0;
        TimestepMayVary = timestep.Dimensions is [null];
        OutputName = output.Name;
        CheckAddedConditions();
        GuidanceLength = GuidanceLengthOf(guidanceEmbeddingLength);
        (In, Out, Times, Hidden) = (Buffer(sample), Buffer(output), Buffer(timestep), Buffer(hidden));
        (Pooled, Sizes, Guidance) = (Buffer(graph.Input(TextEmbeds)), Buffer(graph.Input(TimeIds)), Buffer(graph.Input(GuidanceEmbedding)));
    }

    public Graph Graph { get; }

    /// <summary>What the graph fixes of the latent's shape; null for what may vary.</summary>
    public int? Channels { get; }
    public int? Height { get; }
    public int? Width { get; }

    /// <summary>How many tokens the graph fixes; null when they may vary.</summary>
    public int? Tokens { get; }

    /// <summary>Length of a token's embedding; null when the graph does not say.</summary>
    public int? EmbeddingWidth { get; }

    /// <summary>Whether it takes the pooled embedding and the picture's size (SDXL).</summary>
    public bool TakesPooled => Pooled is not null;

    /// <summary>Whether it takes the guidance scale (latent consistency models).</summary>
    public bool TakesGuidance => Guidance is not null;

    /// <summary>Whether the graph leaves the number of timesteps open; whether one a row works shows only when it is tried.</summary>
    public bool TimestepMayVary { get; }

    /// <summary>Whether each row is given a timestep of its own.</summary>
    public bool TimestepPerRow { get; set; }

    internal bool TimestepIsScalar { get; }
    internal string OutputName { get; }
    internal GrowingBuffer In { get; }
    internal GrowingBuffer Out { get; }
    internal GrowingBuffer Times { get; }
    internal GrowingBuffer Hidden { get; }
    internal GrowingBuffer? Pooled { get; }
    internal GrowingBuffer? Sizes { get; }
    internal GrowingBuffer? Guidance { get; }
    internal int GuidanceLength { get; }
    internal int PooledLength { get; private set; }

    /// <summary>How many steps of one size are to run before another's turn.</summary>
    public int StepsATurn => padding?.StepsAPreparation ?? 1;

    /// <summary>Counts the changes of what the rows are denoised towards.</summary>
    internal int ConditionsVersion { get; private set; }

    /// <summary>The rows of one step, and perhaps more that are not looked at (<see cref="RowPadding"/>). Valid until the next call.</summary>
    /// <exception cref="DeviceMemoryException">There is no memory for so many.</exception>
    public DenoiserBinding Batch(LatentShape latent, PromptEmbedding like, int rows)
    {
        rows = padding?.RowsFor(latent, like.Tokens, rows) ?? rows;
        var key = (latent, like.Tokens, rows);
        if (bindings.TryGetValue(key, out var binding) && heldTokens == like.Tokens)
            return Use(binding);
        try
        {
            Reserve(latent, like, rows);
            if (bindings.Count >= MostBindings)
                Unbind();
            if (!bindings.TryGetValue(key, out binding))
                bindings[key] = binding = new DenoiserBinding(this, latent, like, rows);
            return Use(binding);
        }
        catch (Exception e) when (e is OutOfMemoryException || e is OnnxRuntimeException problem && Graph.IsOutOfMemory(problem))
        {
            padding?.DoNotFit();
            throw new DeviceMemoryException($"There is no memory for {rows} rows.", e);
        }
    }

    /// <summary>Writes what a row is denoised towards, unless it is there already.</summary>
    internal void Hold(int row, in RowCondition condition)
    {
        // The timestep changes at every step and has a buffer of its own.
        var lasting = condition with { Timestep = 0 };
        if (held[row] == lasting)
            return;
        held[row] = lasting;
        ConditionsVersion++;
        var embedding = condition.Embedding;
        Hidden.Write(row * embedding.HiddenStates.Length, embedding.HiddenStates);
        Pooled?.Write(row * PooledLength, embedding.Pooled);
        // Original size, crop, and target size (Podell et al., https://arxiv.org/abs/2307.01952, §2.2).
        Sizes?.Write(row * 6, [condition.Height, condition.Width, 0, 0, condition.Height, condition.Width]);
        Guidance?.Write(row * GuidanceLength, GuidanceEmbeddingOf(condition.GuidanceScale, GuidanceLength));
    }

    /// <summary>Tells how long the last rows took; nothing where they did not fit.</summary>
    internal void Ran(TimeSpan? took)
    {
        if (took is { } time)
            padding?.Ran(time);
        else
            padding?.DoNotFit();
    }

    /// <summary>Drops all bindings, as after a change of <see cref="TimestepPerRow"/>.</summary>
    public void Forget() => Unbind();

    public void Dispose()
    {
        Unbind();
        foreach (var buffer in (ReadOnlySpan<GrowingBuffer?>)[In, Out, Times, Hidden, Pooled, Sizes, Guidance])
            buffer?.Dispose();
        memory.Dispose();
        Graph.Dispose();
    }

    // What a device holds for another number of rows is seldom of use again, as those rows' prompts change with their number.
    DenoiserBinding Use(DenoiserBinding binding)
    {
        if (inUse is not null && inUse != binding && !Graph.Provider.OnHost)
            inUse.Release();
        return inUse = binding;
    }

    void Reserve(LatentShape latent, PromptEmbedding like, int rows)
    {
        var values = rows * latent.Length;
        PooledLength = like.Pooled?.Length ?? 0;
        var fits = In.Fits(values) && Out.Fits(values) && Times.Fits(rows) && Hidden.Fits(rows * like.HiddenStates.Length)
            && (Pooled?.Fits(rows * PooledLength) ?? true) && (Sizes?.Fits(rows * 6) ?? true) && (Guidance?.Fits(rows * GuidanceLength) ?? true);
        if (!fits)
        {
            Unbind();
            In.Reserve(values);
            Out.Reserve(values);
            Times.Reserve(rows);
            Hidden.Reserve(rows * like.HiddenStates.Length);
            Pooled?.Reserve(rows * PooledLength);
            Sizes?.Reserve(rows * 6);
            Guidance?.Reserve(rows * GuidanceLength);
        }
        // Rows of another length lie elsewhere in the buffer.
        if (!fits || heldTokens != like.Tokens || held.Length < rows)
            held = new RowCondition[Math.Max(rows, held.Length)];
        heldTokens = like.Tokens;
    }

    void Unbind()
    {
        foreach (var binding in bindings.Values)
            binding.Dispose();
        bindings.Clear();
        inUse = null;
    }

    void CheckAddedConditions()
    {
        var (pooled, sizes) = (Graph.Input(TextEmbeds), Graph.Input(TimeIds));
        if ((pooled is null) != (sizes is null))
            throw Graph.Refused($"takes '{(pooled ?? sizes)!.Name}' but not '{(pooled is null ? TextEmbeds : TimeIds)}'; SDXL's denoiser takes both.");
        if (pooled is null)
            return;
        Graph.Check(pooled, "input", [2], Real);
        Graph.Check(sizes!, "input", [2], Real);
        if (sizes!.Dimensions[1] is { } count and not 6)
            throw Graph.Refused($"input '{TimeIds}' has {count} values a row; SDXL's has 6 (a refiner's 5 can't paint from text alone).");
    }

    int GuidanceLengthOf(int? told)
    {
        if (Graph.Input(GuidanceEmbedding) is not { } guidance)
            return 0;
        Graph.Check(guidance, "input", [2], Real);
        return guidance.Dimensions[1] ?? told ?? throw Graph.Refused($"input '{GuidanceEmbedding}' does not say how long it is; unet/config.json is to say it as 'time_cond_proj_dim'.");
    }

    GrowingBuffer Buffer(GraphPort? port) => port is null ? null! : new GrowingBuffer(port.Type, memory);

    // Sinusoids of the guidance scale (Luo et al., https://arxiv.org/abs/2310.04378, §4.2; frequencies as in Vaswani et al.).
    static float[] GuidanceEmbeddingOf(float scale, int length)
    {
        var embedding = new float[length];
        var half = length / 2;
        for (var i = 0; i < half; i++)
        {
            var angle = 1000.0 * (scale - 1) * Math.Exp(-Math.Log(10000) * i / (half - 1));
            embedding[i] = (float)Math.Sin(angle);
            embedding[half + i] = (float)Math.Cos(angle);
        }
        return embedding;
    }
}
