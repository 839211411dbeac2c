create index result_report on result (report_no, idx);
create index attempt_report on attempt (report_no, idx);
