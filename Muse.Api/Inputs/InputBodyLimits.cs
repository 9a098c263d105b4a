using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>The size limit of bodies with input images, which are larger than others.</summary>
static class InputBodyLimits
{
    /// <summary>Lets a route's body hold an image and a mask of the allowed size, as files or as Base64.</summary>
    public static TBuilder AcceptsInputImages<TBuilder>(this TBuilder route, IServiceProvider services)
        where TBuilder : IEndpointConventionBuilder
    {
        var files = 2L * services.GetRequiredService<IOptions<ApiOptions>>().Value.MaxInputBytes;
        // Base64 has four characters for three bytes.
        return route.WithMetadata(new RequestSizeLimitAttribute(RequestBody.MaxBytes + files / 3 * 4));
    }
}
