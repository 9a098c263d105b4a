using System.Globalization;

namespace Muse.Api;

/// <summary>Checks fields one after the other and keeps the first fault found.</summary>
sealed class FieldChecks
{
    /// <summary>The first fault, or null.</summary>
    public ApiError? Fault { get; private set; }

    /// <summary>Notes a fault, unless there is one already.</summary>
    public void Fail(string field, string message) => Fault ??= ApiError.Invalid(field, message);

    /// <summary>Notes an error that is made already, unless there is one.</summary>
    public void Fail(ApiError error) => Fault ??= error;

    /// <summary>A whole number within a range, or null where it was left out.</summary>
    public long? Integer(string field, long? value, long min, long max)
    {
        if (value < min || value > max)
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"'{field}' must be from {min} to {max}; it is {value}."));
        return value;
    }

    /// <summary>A number within a range, or null where it was left out.</summary>
    public float? Number(string field, float? value, float min, float max)
    {
        if (value is { } number && !(number >= min && number <= max))
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"'{field}' must be from {min} to {max}; it is {number}."));
        return value;
    }

    /// <summary>One of a few words, or null where it was left out.</summary>
    public string? OneOf(string field, string? value, params ReadOnlySpan<string> allowed)
    {
        if (value is not null && !allowed.Contains(value))
            Fail(field, $"'{field}' must be one of {string.Join(", ", allowed.ToArray())}.");
        return value;
    }
}
