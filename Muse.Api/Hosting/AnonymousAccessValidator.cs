using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>Stops the program at start when it would be open to everyone without a setting that allows it.</summary>
public sealed class AnonymousAccessValidator(IHostEnvironment environment) : IValidateOptions<ApiOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ApiOptions options) =>
        environment.IsDevelopment() || options.AllowAnonymous || ApiOptions.Split(options.Keys).Length > 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail("No API keys are set, so everyone who reaches this server could use it. "
                + "Set Api:Keys (MUSE_API_KEYS) to name:secret[:operator],..., or Api:AllowAnonymous to true.");
}
