using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Muse.Diffusion;

/// <summary>
/// A simulated device: takes a stated time for each step without using the processor, and makes an image that depends only on prompt, seed
/// and input image, and shows none of them.
/// </summary>
/// <remarks>Its rows do not depend on each other, so a request's image is the same to the bit in any batch.</remarks>
public sealed class SimulatedModel : IDiffusionModel
{
    const int Channels = 4, NoiseBytes = 1 << 20, NoiseSeed = 1;

    static readonly byte[] Noise = DrawNoise();

    static readonly SchedulerConfig Schedule = new()
    {
        ClassName = "EulerDiscreteScheduler",
        BetaStart = 0.00085,
        BetaEnd = 0.012,
        BetaSchedule = BetaSchedule.ScaledLinear,
    };

    readonly SimulationSpec spec;
    readonly SimulatedClock clock;
    readonly Dictionary<(LatentShape, int), Rows> batches = [];
    readonly RowPadding? padding;
    (LatentShape Latent, ConditioningShape? Conditioning, int Rows) shape;
    TimeSpan cost;
    int rowsRun;

    /// <summary>Makes a simulated model.</summary>
    /// <param name="name">The model it stands for.</param>
    /// <param name="spec">What its device costs.</param>
    /// <param name="time">The clock that its costs pass on.</param>
    /// <param name="sizes">The sizes and defaults to stand for; null for those of Stable Diffusion 1.5, in steps of the specification's
    /// side.</param>
    public SimulatedModel(string name, SimulationSpec spec, TimeProvider time, ModelTraits? sizes = null)
    {
        this.spec = spec;
        clock = new SimulatedClock(time);
        padding = spec.Change > TimeSpan.Zero && spec.PadsRows ? new RowPadding() : null;
        Traits = new ModelTraits
        {
            Name = name,
            Device = $"simulated ({spec})",
            MinSize = sizes?.MinSize ?? spec.Side,
            MaxSize = sizes?.MaxSize ?? 1024,
            SizeMultiple = sizes?.SizeMultiple ?? spec.Side,
            DefaultWidth = sizes?.DefaultWidth ?? 512,
            DefaultHeight = sizes?.DefaultHeight ?? 512,
            DefaultSteps = sizes?.DefaultSteps ?? spec.Steps,
            DefaultGuidanceScale = sizes?.DefaultGuidanceScale ?? 7.5f,
            Samplers = Samplers.AvailableFor(Schedule),
            ImageInput = true,
            RequiresMask = sizes?.RequiresMask ?? false,
        };
        if (sizes is not null)
        {
            Traits = Traits with
            {
                DefaultStrength = sizes.DefaultStrength,
                DefaultMaskedStrength = sizes.DefaultMaskedStrength,
            };
        }
    }

    /// <inheritdoc/>
    public ModelTraits Traits { get; }

    /// <inheritdoc/>
    public bool TimestepPerRow => true;

    /// <inheritdoc/>
    public bool GuidanceEmbedded => false;

    /// <inheritdoc/>
    public int DecodeBatch => int.MaxValue;

    /// <inheritdoc/>
    public int StepsPerTurn => padding?.StepsPerPreparation ?? 1;

    /// <inheritdoc/>
    public Sampler CreateSampler(string? name) => Samplers.Create(Schedule, name);

    // The largest cells that give every size exactly: small latents keep the samplers' arithmetic out of what is simulated.
    int PixelsPerCell => Traits.SizeMultiple;

    /// <inheritdoc/>
    public LatentShape GetLatentShape(int width, int height) => new(Channels, height / PixelsPerCell, width / PixelsPerCell);

    /// <inheritdoc/>
    public Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(prompt ?? ""));
        return new Conditioning([new("prompt", Array.ConvertAll(hash, b => b / 128f - 1), hash.Length)]);
    }

    /// <inheritdoc/>
    public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows)
    {
        if (!batches.TryGetValue((latent, rows), out var batch))
            batches[(latent, rows)] = batch = new Rows(this, latent, rows);
        rowsRun = padding?.RowsFor(latent, conditioning, rows) ?? rows;
        cost = spec.StepCost(rowsRun) + (shape == (latent, conditioning, rowsRun) ? TimeSpan.Zero : spec.Change);
        shape = (latent, conditioning, rowsRun);
        return batch;
    }

    /// <summary>The mean colour of each cell: what <see cref="Preview"/> shows as that colour. Takes no simulated time.</summary>
    public float[] EncodeImage(LatentShape latent, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise)
    {
        var values = new float[latent.Length];
        var cells = latent.Height * latent.Width;
        var share = 1f / (64 * PixelsPerCell * PixelsPerCell);
        for (var i = 0; i < image.Width * image.Height; i++)
        {
            if (!mask.IsEmpty && mask[i] >= LatentEncoder.MaskThreshold)
                continue;
            var cell = i / image.Width / PixelsPerCell * latent.Width + i % image.Width / PixelsPerCell;
            for (var c = 0; c < 3; c++)
                values[c * cells + cell] += (image.Pixels[3 * i + c] - 128) * share;
        }
        return values;
    }

    /// <inheritdoc/>
    public RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents) => [.. latents.Select(values => Draw(latent, values))];

    /// <inheritdoc/>
    public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values)
    {
        var cells = latent.Height * latent.Width;
        var pixels = new byte[3 * cells];
        for (var i = 0; i < cells; i++)
        {
            for (var c = 0; c < 3; c++)
                pixels[3 * i + c] = (byte)Math.Clamp(128 + 64 * values[c * cells + i], 0, 255);
        }

        return new RgbImage(latent.Width, latent.Height, pixels);
    }

    /// <inheritdoc/>
    public void Dispose() => clock.Dispose();

    RgbImage Draw(LatentShape latent, ReadOnlySpan<float> values)
    {
        int width = latent.Width * PixelsPerCell, height = latent.Height * PixelsPerCell;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(MemoryMarshal.AsBytes(values), hash);
        var image = RgbImage.Create(width, height);
        var pixels = image.Pixels;
        // Noise does not compress, a plain colour to nearly nothing: so many rows of noise give the requested size.
        var noise = Math.Min(spec.Bytes, pixels.Length);
        // Copied, since drawing it costs as much as encoding the image. Each image begins elsewhere.
        var from = (int)(BitConverter.ToUInt32(hash) % NoiseBytes);
        for (var filled = 0; filled < noise; from = 0)
        {
            var length = Math.Min(noise - filled, NoiseBytes - from);
            Noise.AsSpan(from, length).CopyTo(pixels.AsSpan(filled));
            filled += length;
        }
        // The plain part is copied in doublings.
        var plain = pixels.AsSpan(noise);
        hash[..Math.Min(3, plain.Length)].CopyTo(plain);
        for (var filled = 3; filled < plain.Length; filled *= 2)
            plain[..Math.Min(filled, plain.Length - filled)].CopyTo(plain[filled..]);
        return image;
    }

    static byte[] DrawNoise()
    {
        var noise = new byte[NoiseBytes];
        new Random(NoiseSeed).NextBytes(noise);
        return noise;
    }

    sealed class Rows(SimulatedModel model, LatentShape latent, int rows) : DenoiserBatch
    {
        readonly float[] buffer = new float[rows * latent.Length];
        readonly RowCondition[] conditions = new RowCondition[rows];

        public override int RowsRun => model.rowsRun;

        public override Span<float> Input(int row) => buffer.AsSpan(row * latent.Length, latent.Length);

        public override void SetCondition(int row, in RowCondition condition) => conditions[row] = condition;

        public override void Run()
        {
            for (var row = 0; row < rows; row++)
            {
                var values = Input(row);
                ref readonly var condition = ref conditions[row];
                TensorPrimitives.Multiply(values, 0.4f, values);
                TensorPrimitives.Add(values, condition.Timestep * 1e-4f, values);
                var towards = condition.Conditioning.Tensors[0].Values;
                for (var i = 0; i < values.Length; i++)
                    values[i] += 0.3f * towards[i % towards.Length];
            }
            model.clock.Pass(model.cost);
            model.padding?.OnRan(model.cost);
        }

        public override ReadOnlySpan<float> Output(int row) => Input(row);
    }
}
