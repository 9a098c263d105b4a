using System.Globalization;

namespace Muse.Api;

/// <summary>Validates fields and keeps the first error.</summary>
sealed class FieldValidation
{
    /// <summary>The first error, or null.</summary>
    public ApiError? Error { get; private set; }

    /// <summary>Adds an error, unless there is one.</summary>
    public void Fail(string field, string message) => Error ??= ApiError.Invalid(field, message);

    /// <summary>Adds an error, unless there is one.</summary>
    public void Fail(ApiError error) => Error ??= error;

    /// <summary>A whole number within a range, or null where it is left out.</summary>
    public long? Integer(string field, long? value, long min, long max)
    {
        if (value < min || value > max)
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"'{field}' must be from {min} to {max}; it is {value}."));
        return value;
    }

    /// <summary>A number within a range, or null where it is left out.</summary>
    public float? Number(string field, float? value, float min, float max)
    {
        if (value is { } number && !(number >= min && number <= max))
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"'{field}' must be from {min} to {max}; it is {number}."));
        return value;
    }

    /// <summary>One of the allowed values, or null where it is left out or empty.</summary>
    public string? OneOf(string field, string? value, params ReadOnlySpan<string> allowed)
    {
        if (value is "")
            return null;
        if (value is not null && !allowed.Contains(value))
            Fail(field, $"'{field}' must be one of {string.Join(", ", allowed.ToArray())}.");
        return value;
    }
}
