import type * as T from "./types.ts";
interface Json<Body> {
    headers: Record<string, unknown>;
    content: {
        "application/json": Body;
    };
}
interface Failure {
    error: string;
    code: string;
    details?: unknown[];
    request_id: string;
}
interface Operation<Ok, Query = undefined, Path = undefined, Body = undefined> {
    parameters: Path extends undefined ? {
        query?: Query;
    } : {
        query?: Query;
        path: Path;
    };
    requestBody?: Body extends undefined ? undefined : {
        content: {
            "application/json": Body;
        };
    };
    responses: {
        200: Json<Ok>;
        default: Json<Failure>;
    };
}
interface Credentials {
    email: string;
    password: string;
}
export interface paths {
    "/auth/register": {
        post: Operation<T.Session, undefined, undefined, Credentials & {
            display_name: string;
        }>;
    };
    "/auth/login": {
        post: Operation<T.Session, undefined, undefined, Credentials>;
    };
    "/auth/refresh": {
        post: Operation<T.Session>;
    };
    "/auth/logout": {
        post: Operation<{
            message: string;
        }>;
    };
    "/api/v1/teams": {
        get: Operation<{
            teams: T.Team[];
        }>;
    };
    "/api/v1/teams/{team_id}/tokens": {
        get: Operation<{
            tokens: T.ApiToken[];
        }, undefined, {
            team_id: string;
        }>;
        post: Operation<T.CreatedToken, undefined, {
            team_id: string;
        }, {
            name: string;
            scopes?: string[];
            expires_at?: string;
        }>;
    };
    "/api/v1/teams/{team_id}/tokens/{token_id}": {
        delete: Operation<{
            message: string;
        }, undefined, {
            team_id: string;
            token_id: string;
        }>;
    };
    "/api/v1/projects": {
        get: Operation<{
            projects: T.Project[];
        }>;
    };
    "/api/v1/reports": {
        get: Operation<T.ReportPage, T.RunFilter & T.Page>;
        post: Operation<T.Accepted, T.UploadOptions, undefined, unknown>;
    };
    "/api/v1/reports/{id}": {
        get: Operation<T.Report, undefined, {
            id: string;
        }>;
        delete: Operation<{
            id: string;
            deleted: boolean;
        }, undefined, {
            id: string;
        }>;
    };
    "/api/v1/reports/{id}/raw": {
        get: Operation<Blob, undefined, {
            id: string;
        }>;
    };
    "/api/v1/reports/{id}/results/{result_id}": {
        get: Operation<T.TestResultDetail, undefined, {
            id: string;
            result_id: string;
        }>;
    };
    "/api/v1/runs": {
        get: Operation<T.RunPage, T.RunFilter & T.Page>;
    };
    "/api/v1/runs/{id}": {
        get: Operation<T.RunDetail, undefined, {
            id: string;
        }>;
    };
    "/api/v1/runs/{id}/results": {
        get: Operation<T.ResultPage, Record<string, string | number | undefined>, {
            id: string;
        }>;
    };
}
export {};
