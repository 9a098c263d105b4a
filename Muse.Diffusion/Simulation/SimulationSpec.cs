using System.Globalization;

namespace Muse.Diffusion;

/// <summary>
/// What a simulated device costs, written <c>simulated:base=40ms,picture=10ms,change=0ms,steps=20,bytes=0,side=64</c>; every part may be
/// left out.
/// </summary>
/// <remarks>
/// A batch of n guided images of <see cref="Steps"/> steps takes <see cref="Base"/> + n × <see cref="PerImage"/> in all; a step takes
/// its share of that, and each of a guided image's two rows half of the image's part.
/// </remarks>
public sealed record SimulationSpec
{
    /// <summary>What a whole batch costs whatever its size. Default 40 ms.</summary>
    public TimeSpan Base { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>What each guided image of the batch adds. Default 10 ms.</summary>
    public TimeSpan PerImage { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// What a step adds when its shape (size, length of prompt, number of rows) is not that of the step before, as on CUDA. Default 0.
    /// </summary>
    public TimeSpan Change { get; init; }

    /// <summary>
    /// Whether more rows may run than are needed where a change costs something: the benchmark looks at what that is worth.
    /// </summary>
    internal bool PadsRows { get; init; } = true;

    /// <summary>The number of steps that base and image are for. Default 20.</summary>
    public int Steps { get; init; } = 20;

    /// <summary>About how many bytes an image has as PNG. Default 0: as few as it takes.</summary>
    public int Bytes { get; init; }

    /// <summary>What an image's sides are multiples of, pixels, where no model folder says. Default 64.</summary>
    public int Side { get; init; } = 64;

    /// <summary>A device that costs nothing.</summary>
    public static SimulationSpec Free { get; } = new() { Base = TimeSpan.Zero, PerImage = TimeSpan.Zero };

    /// <summary>Whether a device setting asks for a simulated device.</summary>
    public static bool IsSimulated(string device) =>
        device.Equals("simulated", StringComparison.OrdinalIgnoreCase)
            || device.StartsWith("simulated:", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads a specification.</summary>
    /// <exception cref="ArgumentException">It is not one; the message says which part is wrong and what is allowed.</exception>
    public static SimulationSpec Parse(string device)
    {
        if (!IsSimulated(device))
        {
            throw new ArgumentException($"The device '{device}' is not 'simulated' or 'simulated:base=40ms,picture=10ms,…'.",
                nameof(device));
        }

        var spec = new SimulationSpec();
        var colon = device.IndexOf(':', StringComparison.Ordinal);
        var parts = colon < 0 ? "" : device[(colon + 1)..];
        foreach (var part in parts.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? part : part[..equals], value = equals < 0 ? "" : part[(equals + 1)..];
            spec = name.ToLowerInvariant() switch
            {
                "base" => spec with { Base = Milliseconds(device, name, value) },
                "picture" => spec with { PerImage = Milliseconds(device, name, value) },
                "change" => spec with { Change = Milliseconds(device, name, value) },
                "steps" => spec with { Steps = Whole(device, name, value, 1, 1000) },
                "bytes" => spec with { Bytes = Whole(device, name, value, 0, 100_000_000) },
                "side" => spec with { Side = Whole(device, name, value, 8, 64) },
                _ => throw new ArgumentException(
                    $"The device '{device}' has a part '{name}'; a simulated device has base, picture, change, steps, bytes and side.",
                    nameof(device)),
            };
        }
        return spec;
    }

    /// <summary>What one step of so many rows costs.</summary>
    public TimeSpan StepCost(int rows) => (Base + PerImage * (rows / 2.0)) / Steps;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Base.TotalMilliseconds} ms + {PerImage.TotalMilliseconds} ms an image for {Steps} "
            + $"steps{(Change > TimeSpan.Zero ? $", {Change.TotalMilliseconds} ms a change of shape" : "")}");

    static TimeSpan Milliseconds(string device, string name, string value)
    {
        var number = value.EndsWith("ms", StringComparison.OrdinalIgnoreCase) ? value[..^2] : value;
        if (double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var ms) && ms is >= 0 and <= 3_600_000)
            return TimeSpan.FromMilliseconds(ms);
        throw new ArgumentException(
            $"The device '{device}' has {name}={value}; it must be milliseconds from 0 to 3600000, such as {name}=40ms.", nameof(device));
    }

    static int Whole(string device, string name, string value, int least, int most)
    {
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        throw new ArgumentException($"The device '{device}' has {name}={value}; it must be a whole number from {least} to {most}.",
            nameof(device));
    }
}
